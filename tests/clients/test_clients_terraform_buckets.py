"""Terraform with its AWS provider, unchanged, on a bucket with all that belongs to it: apply, no difference, destroy."""

from pathlib import Path

import pytest

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(600)]

MAIN = """
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

provider "aws" {
  region                      = "us-east-1"
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
}

resource "aws_kms_key" "key" {
  deletion_window_in_days = 7
}

resource "aws_s3_bucket" "bucket" {
  bucket        = "terraform"
  force_destroy = true
  tags          = { Team = "storage" }
}

resource "aws_s3_bucket_versioning" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.key.arn
    }
  }
}

resource "aws_s3_bucket_public_access_block" "bucket" {
  bucket                  = aws_s3_bucket.bucket.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "bucket" {
  bucket = aws_s3_bucket.bucket.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = ["${aws_s3_bucket.bucket.arn}/*"]
      Condition = { StringEquals = { "aws:PrincipalAccount" = "999999999999" } }
    }]
  })
}

resource "aws_s3_object" "object" {
  bucket     = aws_s3_bucket.bucket.id
  key        = "object"
  content    = "hello"
  depends_on = [aws_s3_bucket_server_side_encryption_configuration.bucket]
}
"""


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """The configuration that `terraform` works on."""
    directory = tmp_path / "bucket"
    directory.mkdir()
    (directory / "main.tf").write_text(MAIN)
    return directory


def test_a_bucket_applies_settles_and_goes(terraform):
    terraform("init", "-no-color", "-input=false")
    terraform("apply", "-auto-approve", "-no-color", "-input=false")
    # Terraform says with its exit status, 2, when something would change.
    terraform("plan", "-detailed-exitcode", "-no-color", "-input=false")
    terraform("destroy", "-auto-approve", "-no-color", "-input=false")
