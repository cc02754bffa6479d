"""The report: everything that a run left behind on one page, which opens without a network."""

from mvps.report.write import PAGE, ReportSummary, write_report

__all__ = ["PAGE", "ReportSummary", "write_report"]
