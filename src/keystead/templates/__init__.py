"""Templates: the keys, policies and buckets that Terraform plans and CloudFormation templates declare.

It refuses to know what is good or bad about them, and to guess: what a template does not tell is `UNKNOWN`.
"""

from keystead.templates.declared import UNKNOWN, Bucket, Declared, Key, Policy
from keystead.templates.read import read

__all__ = ["UNKNOWN", "Bucket", "Declared", "Key", "Policy", "read"]
