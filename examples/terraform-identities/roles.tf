# Separate roles for those who look after a key and those who use it, and the key between them.

resource "aws_iam_role" "key_admin" {
  name                 = "KeyAdmin"
  description          = "Looks after keys and cannot use them"
  max_session_duration = 7200
  assume_role_policy   = data.aws_iam_policy_document.trust_alice.json
  tags                 = { Purpose = "administration" }
}

data "aws_iam_policy_document" "trust_alice" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.alice.arn]
    }
  }
}

resource "aws_iam_role" "key_user" {
  name               = "KeyUser"
  assume_role_policy = data.aws_iam_policy_document.trust_pipeline.json
}

resource "aws_iam_openid_connect_provider" "pipeline" {
  url             = "https://token.actions.example.org"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["0123456789abcdef0123456789abcdef01234567"]
  tags            = { Purpose = "pipelines" }
}

data "aws_iam_policy_document" "trust_pipeline" {
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.pipeline.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.example.org:aud"
      values   = ["sts.amazonaws.com"]
    }
  }
}

resource "aws_iam_policy" "use" {
  name   = "use-the-key"
  policy = data.aws_iam_policy_document.use.json
  tags   = { Purpose = "use" }
}

data "aws_iam_policy_document" "use" {
  statement {
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"]
    resources = [aws_kms_key.files.arn]
  }
}

resource "aws_iam_role_policy_attachment" "key_user" {
  role       = aws_iam_role.key_user.name
  policy_arn = aws_iam_policy.use.arn
}

resource "aws_iam_role_policy" "key_admin" {
  name   = "administer"
  role   = aws_iam_role.key_admin.id
  policy = data.aws_iam_policy_document.administer.json
}

data "aws_iam_policy_document" "administer" {
  statement {
    actions   = ["kms:DescribeKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"]
    resources = ["*"]
  }
}

resource "aws_kms_key" "files" {
  description             = "Administered by one role, used by another"
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_kms_alias" "files" {
  name          = "alias/files"
  target_key_id = aws_kms_key.files.key_id
}

resource "aws_kms_key_policy" "files" {
  key_id = aws_kms_key.files.id
  policy = data.aws_iam_policy_document.key.json
}

data "aws_iam_policy_document" "key" {
  statement {
    sid       = "TheAccount"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${local.account}:root"]
    }
  }

  statement {
    sid       = "AdministratorsNeverUse"
    effect    = "Deny"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.key_admin.arn]
    }
  }
}

resource "aws_kms_grant" "user" {
  name              = "user"
  key_id            = aws_kms_key.files.key_id
  grantee_principal = aws_iam_role.key_user.arn
  operations        = ["Decrypt"]
}

resource "aws_iam_service_linked_role" "support" {
  aws_service_name = "support.amazonaws.com"
}
