data "aws_iam_role" "key_user" {
  name = aws_iam_role.key_user.name
}

data "aws_iam_policy" "use" {
  arn = aws_iam_policy.use.arn
}

output "alice" {
  description = "What alice signs with."
  value       = [aws_iam_access_key.alice.id, aws_iam_access_key.alice.secret]
  sensitive   = true
}

output "key" {
  value = aws_kms_key.files.arn
}

output "key_user" {
  value = [data.aws_iam_role.key_user.arn, data.aws_iam_role.key_user.unique_id]
}

output "use" {
  value = data.aws_iam_policy.use.policy_id
}
