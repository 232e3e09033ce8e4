# Findings of who gets in from outside the account, by keys, roles and buckets.
resource "aws_accessanalyzer_analyzer" "account" {
  analyzer_name = "account"
  type          = "ACCOUNT"
  tags          = { Team = "audit" }
}

# What the partner's account may do is known: its findings are archived when they come.
resource "aws_accessanalyzer_archive_rule" "partner" {
  analyzer_name = aws_accessanalyzer_analyzer.account.analyzer_name
  rule_name     = "partner"

  filter {
    criteria = "principal.AWS"
    eq       = ["444455556666"]
  }

  filter {
    criteria = "isPublic"
    eq       = ["false"]
  }

  filter {
    criteria = "error"
    exists   = false
  }
}
