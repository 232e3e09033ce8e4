"""AWS IAM Access Analyzer: questions about policies, proven or refuted. Refuses to know how (`keystead.analysis` does)."""

from keystead.services.accessanalyzer.service import ACCESS_ANALYZER

__all__ = ["ACCESS_ANALYZER"]
