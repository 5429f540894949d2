"""What an evaluation found, told to people and programs: one HTML page, JSON and CSV."""

from ppocr_pse.report.collect import Collector, Facts, Report
from ppocr_pse.report.machine import describe_machine
from ppocr_pse.report.write import write_report

__all__ = ["Collector", "Facts", "Report", "describe_machine", "write_report"]
