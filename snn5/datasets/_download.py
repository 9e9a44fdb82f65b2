"""`snn5 data download`: official archives from their hosts to where the readers look.

The addresses are those that tonic and torchvision use; the md5 are the registry's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from snn5.datasets._fetch import fetch
from snn5.datasets._registry import find
from snn5.datasets._root import VARIABLE, configured_root
from snn5.datasets._unpack import unpack
from snn5.errors import UserError

Say = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True)
class Remote:
    """Where the archives of a set come from and go to.

    Attributes:
        url: of one archive, `{}` for its name; or by name, in `urls`. folder: under the root; archives lie there and are unpacked there.
        unpacked: whether they are to be unpacked. names: which of the registry's files; empty: all.
    """

    url: str = ""
    urls: tuple[tuple[str, str], ...] = ()
    folder: str
    unpacked: bool = True
    names: tuple[str, ...] = ()

    def address(self, name: str) -> str:
        """Of one archive."""
        return dict(self.urls).get(name) or self.url.format(name)


_MENDELEY, _FIGSHARE = "https://data.mendeley.com/public-files/datasets", "https://figshare.com/ndownloader/files"
REMOTES = {
    "mnist": Remote(url="https://ossci-datasets.s3.amazonaws.com/mnist/{}", folder="MNIST", unpacked=False),
    "fashion_mnist": Remote(url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{}", folder="FashionMNIST", unpacked=False),
    "cifar10": Remote(url="https://www.cs.toronto.edu/~kriz/{}", folder="", names=("cifar-10-binary.tar.gz",)),
    "cifar100": Remote(url="https://www.cs.toronto.edu/~kriz/{}", folder="", names=("cifar-100-binary.tar.gz",)),
    "nmnist": Remote(
        urls=(
            ("train.zip", f"{_MENDELEY}/468j46mzdv/files/39c25547-014b-4137-a934-9d29fa53c7a0/file_downloaded"),
            ("test.zip", f"{_MENDELEY}/468j46mzdv/files/05a4d654-7e03-4c15-bdfa-9bb2bcbea494/file_downloaded"),
        ),
        folder="NMNIST",
    ),
    "dvsgesture": Remote(
        urls=(("ibmGestureTrain.tar.gz", f"{_FIGSHARE}/38022171"), ("ibmGestureTest.tar.gz", f"{_FIGSHARE}/38020584")),
        folder="DVSGesture",
    ),
    "shd": Remote(url="https://zenkelab.org/datasets/{}", folder="SHD"),
    "ssc": Remote(url="https://zenkelab.org/datasets/{}", folder="SSC"),
}


def download(name: str, root: str | Path | None = None, *, say: Say = lambda _file, _done, _total: None) -> list[str]:
    """Fetch what is missing of the data set `name`, check it and unpack it; a line for each archive.

    Args:
        root: folder of the real data sets, made if need be; None takes SNN5_DATA_ROOT. say: called with (archive, bytes there, in all).

    Raises:
        UserError: unknown set, no address, no root; or see `fetch` and `unpack`.
    """
    entry = find(name)
    if name not in REMOTES:
        where = f"get it from {entry.source} and provide {entry.files}" if entry.files and not entry.own else "there is nothing to download"
        raise UserError(f"data set {name!r}: no address of its archives is known; {where}")
    place = Path(root) if root is not None else configured_root()
    if place is None:
        raise UserError(f"no folder to download to; set {VARIABLE} to one, or pass --to")
    remote, lines = REMOTES[name], []
    folder = place / remote.folder
    for file in remote.names or tuple(entry.md5):

        def progress(done: int, total: int, file: str = file) -> None:
            say(file, done, total)

        new = fetch(remote.address(file), folder / file, md5=entry.md5[file], progress=progress)
        line = f"{folder / file}: {'downloaded' if new else 'was there'}, the official file"
        if remote.unpacked:
            line += f", unpacked to {', '.join(unpack(folder / file, folder))}"
        lines.append(line)
    return lines
