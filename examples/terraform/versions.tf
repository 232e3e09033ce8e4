terraform {
  required_version = ">= 1.5"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

# The endpoint, the credentials and the Region come from the environment: AWS_ENDPOINT_URL,
# AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION. No check of the provider is switched off.
provider "aws" {}

provider "aws" {
  alias  = "replica"
  region = var.replica_region
}

variable "replica_region" {
  description = "The second Region: a separate key space of the same deployment."
  type        = string
  default     = "eu-west-1"
}

variable "name" {
  description = "What the aliases' names begin with, after alias/."
  type        = string
  default     = "example"
}

data "aws_caller_identity" "me" {}

locals {
  root = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"
}
