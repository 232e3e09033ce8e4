"""AWS IAM: users, groups, roles, their credentials and their policies. Refuses to know anything of keys."""

from keystead.services.iam.service import IAM

__all__ = ["IAM"]
