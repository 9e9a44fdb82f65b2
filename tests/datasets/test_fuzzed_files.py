"""At least 200 damaged files over every reader: each is refused by name, none ends in a traceback, and the whole one is read."""

from pathlib import Path

import fuzzed
import pytest

from snn5.errors import UserError

EACH = pytest.mark.parametrize("name", sorted(fuzzed.READERS))


@EACH
def test_damaged_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    reader = fuzzed.READERS[name]
    path = reader.make(tmp_path / "in")
    reader.read(path)
    for what, data in fuzzed.damaged(name):
        path.write_bytes(data)
        try:
            found = reader.read(path)
        except UserError as error:
            assert not reader.named or path.name in str(error) or path.parent.as_posix() in str(error), (what, str(error))
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            pytest.fail(f"{what}: {type(error).__name__}: {error}")
        else:
            pytest.fail(f"{what}: accepted as {found!r:.200}")
    assert [p.name for p in tmp_path.iterdir()] == ["in"]  # nothing was written beside the folder


def test_they_are_enough_and_of_every_kind() -> None:
    counts = {name: sum(1 for _ in fuzzed.damaged(name)) for name in fuzzed.READERS}
    assert sum(counts.values()) >= 200 and min(counts.values()) >= 10
    assert sum(len(reader.wrong) for reader in fuzzed.READERS.values()) >= 40
