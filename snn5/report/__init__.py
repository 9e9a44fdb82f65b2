"""The report: one page and its figures, made from the records of all stages."""

from snn5.report._build import build as build
from snn5.report._build import record_of as record_of
from snn5.report._build import write as write
from snn5.report._results import STAGES as STAGES
from snn5.report._results import Results as Results
from snn5.report._results import folder as folder
from snn5.report._results import read as read
from snn5.report._tasks import TASKS as TASKS
