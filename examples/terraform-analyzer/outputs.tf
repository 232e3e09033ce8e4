output "analyzer" {
  value = aws_accessanalyzer_analyzer.account.arn
}
