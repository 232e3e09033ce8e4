output "account" {
  value = data.aws_caller_identity.me.account_id
}

output "key_arns" {
  value = merge(
    { for name, key in aws_kms_key.each : name => key.arn },
    { files = aws_kms_key.symmetric.arn },
  )
}

output "alias_target" {
  value = data.aws_kms_alias.files.target_key_arn
}

output "key_by_alias" {
  value = data.aws_kms_key.by_alias.arn
}

output "replica_arns" {
  value = data.aws_kms_key.primary.multi_region_configuration[0].replica_keys[*].arn
}

output "imported_state" {
  value = aws_kms_external_key.imported.key_state
}

output "empty_state" {
  value = aws_kms_external_key.empty.key_state
}

output "signer_pem" {
  value = data.aws_kms_public_key.signer.public_key_pem
}

output "password" {
  value     = data.aws_kms_secrets.password.plaintext["password"]
  sensitive = true
}
