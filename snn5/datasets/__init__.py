"""Data sets (P7.2): by name, from their original formats, as packed train, validation and test splits."""

from snn5.datasets import (  # noqa: F401 - each registers its sets
    _audio_folder,
    _cifar10,
    _cifar100,
    _digits,
    _event_folder,
    _event_sets,
    _image_folder,
    _mnist,
    _nmnist,
    _spike_sets,
)
from snn5.datasets._camera import Events as Events
from snn5.datasets._camera import simulate as simulate
from snn5.datasets._cochlea import cochlea as cochlea
from snn5.datasets._download import download as download
from snn5.datasets._event_augment import CropEvents as CropEvents
from snn5.datasets._event_augment import CropTime as CropTime
from snn5.datasets._event_augment import DropEvents as DropEvents
from snn5.datasets._event_augment import FlipEvents as FlipEvents
from snn5.datasets._event_augment import JitterTime as JitterTime
from snn5.datasets._frames import frames_from_events as frames_from_events
from snn5.datasets._image_folder import read_image as read_image
from snn5.datasets._load import SPLITS as SPLITS
from snn5.datasets._load import load as load
from snn5.datasets._official import verify_official as verify_official
from snn5.datasets._partition import split_sha256 as split_sha256
from snn5.datasets._prepare import SLOTS as SLOTS
from snn5.datasets._prepare import describe as describe
from snn5.datasets._prepare import prepare as prepare
from snn5.datasets._prepare import skipped as skipped
from snn5.datasets._prepare import verify as verify
from snn5.datasets._recording import Recording as Recording
from snn5.datasets._recording import read_recording as read_recording
from snn5.datasets._registry import list_datasets as list_datasets
from snn5.datasets._root import configured_root as configured_root
from snn5.datasets._split import Split as Split
from snn5.datasets._split import Splits as Splits
from snn5.datasets._split import load_split as load_split
from snn5.datasets._split import save_split as save_split
from snn5.datasets._statistics import Statistics as Statistics
from snn5.datasets._statistics import statistics as statistics
