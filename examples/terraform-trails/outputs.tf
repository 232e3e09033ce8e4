output "arns" {
  value = [aws_cloudtrail.all.arn, aws_cloudtrail.changes.arn]
}
