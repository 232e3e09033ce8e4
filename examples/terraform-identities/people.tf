# Who there is: a user in a group, with what limits both.

resource "aws_iam_policy" "limit" {
  name        = "limit"
  path        = "/example/"
  description = "The most that people may have"
  policy      = data.aws_iam_policy_document.limit.json
}

data "aws_iam_policy_document" "limit" {
  statement {
    actions   = ["kms:*", "iam:GetUser", "iam:ListAccessKeys"]
    resources = ["*"]
  }
}

resource "aws_iam_user" "alice" {
  name                 = "alice"
  path                 = "/example/"
  permissions_boundary = aws_iam_policy.limit.arn
  tags                 = { Team = "finance" }
}

resource "aws_iam_access_key" "alice" {
  user = aws_iam_user.alice.name
}

resource "aws_iam_group" "readers" {
  name = "readers"
  path = "/example/"
}

resource "aws_iam_group_membership" "readers" {
  name  = "readers"
  group = aws_iam_group.readers.name
  users = [aws_iam_user.alice.name]
}

resource "aws_iam_group_policy" "readers" {
  name   = "look"
  group  = aws_iam_group.readers.name
  policy = data.aws_iam_policy_document.look.json
}

data "aws_iam_policy_document" "look" {
  statement {
    actions   = ["kms:ListKeys", "kms:ListAliases"]
    resources = ["*"]
  }
}

resource "aws_iam_group_policy_attachment" "readers" {
  group      = aws_iam_group.readers.name
  policy_arn = aws_iam_policy.use.arn
}

resource "aws_iam_user_policy" "alice" {
  name   = "herself"
  user   = aws_iam_user.alice.name
  policy = data.aws_iam_policy_document.herself.json
}

data "aws_iam_policy_document" "herself" {
  statement {
    actions   = ["iam:GetUser"]
    resources = [aws_iam_user.alice.arn]
  }
}
