"""Live nodes against the declaration: what differs, where, and who made the difference."""

from operations.drift.model import Case, Finding, Outcome, Report, SiteReport, worst
from operations.drift.scan import Subject, scan
from operations.drift.subjects import subject_of

__all__ = ["Case", "Finding", "Outcome", "Report", "SiteReport", "Subject", "scan", "subject_of", "worst"]
