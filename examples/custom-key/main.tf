# A custom key with separate duties: one role administers it, another uses it, through S3 only.

terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {}

variable "admin_role" {
  description = "ARN of the role that administers the key, and never uses it."
  type        = string
}

variable "user_role" {
  description = "ARN of the role that uses the key, and never administers it."
  type        = string
}

data "aws_caller_identity" "me" {}

data "aws_region" "here" {}

locals {
  root = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"

  administer = [
    "kms:CancelKeyDeletion", "kms:DescribeKey", "kms:DisableKey", "kms:DisableKeyRotation", "kms:EnableKey",
    "kms:EnableKeyRotation", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies",
    "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:ScheduleKeyDeletion", "kms:TagResource",
    "kms:UntagResource", "kms:UpdateKeyDescription", "kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias",
  ]
}

resource "aws_kms_key" "data" {
  description             = "Documents in S3"
  enable_key_rotation     = true
  rotation_period_in_days = 365
  deletion_window_in_days = 30

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "KeyAdministration"
        Effect    = "Allow"
        Principal = { AWS = var.admin_role }
        Action    = local.administer
        Resource  = "*"
      },
      {
        Sid       = "RootUserRepairs"
        Effect    = "Allow"
        Principal = { AWS = local.root }
        Action    = local.administer
        Resource  = "*"
        Condition = { ArnEquals = { "aws:PrincipalArn" = local.root } }
      },
      {
        Sid       = "UseThroughS3"
        Effect    = "Allow"
        Principal = { AWS = var.user_role }
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Resource  = "*"
        Condition = {
          StringEquals = {
            "kms:CallerAccount" = data.aws_caller_identity.me.account_id
            "kms:ViaService"    = "s3.${data.aws_region.here.name}.amazonaws.com"
          }
        }
      },
    ]
  })
}

resource "aws_kms_alias" "data" {
  name          = "alias/data"
  target_key_id = aws_kms_key.data.key_id
}
