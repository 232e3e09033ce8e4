# Who may use the keys: a key policy, a policy managed apart from its key, and a grant.

data "aws_iam_policy_document" "account" {
  statement {
    sid       = "EnableTheAccount"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [local.root]
    }
  }

  statement {
    sid       = "NeverWithoutAPurpose"
    effect    = "Deny"
    actions   = ["kms:Encrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "kms:EncryptionContext:Purpose"
      values   = ["true"]
    }
  }
}

resource "aws_kms_key" "guarded" {
  description             = "Encrypts only where a purpose is named"
  enable_key_rotation     = true
  policy                  = data.aws_iam_policy_document.account.json
  deletion_window_in_days = 7
}

resource "aws_kms_key" "governed" {
  description             = "Has its policy from a resource of its own"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_kms_key_policy" "governed" {
  key_id = aws_kms_key.governed.id
  policy = data.aws_iam_policy_document.account.json
}

resource "aws_kms_grant" "reader" {
  name               = "reader"
  key_id             = aws_kms_key.symmetric.key_id
  grantee_principal  = local.root
  retiring_principal = local.root
  operations         = ["Decrypt", "DescribeKey"]

  constraints {
    encryption_context_equals = {
      Department = "Finance"
    }
  }
}
