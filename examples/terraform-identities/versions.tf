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

data "aws_caller_identity" "me" {}

locals {
  account = data.aws_caller_identity.me.account_id
}
