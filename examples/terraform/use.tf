# Encrypting, and reading back what there is.

resource "aws_kms_ciphertext" "password" {
  key_id    = aws_kms_key.symmetric.key_id
  plaintext = "correct horse battery staple"

  context = {
    Purpose = "example"
  }
}

data "aws_kms_secrets" "password" {
  secret {
    name    = "password"
    payload = aws_kms_ciphertext.password.ciphertext_blob

    context = {
      Purpose = "example"
    }
  }
}

data "aws_kms_key" "by_alias" {
  key_id = aws_kms_alias.symmetric.name
}

data "aws_kms_key" "primary" {
  # The replica first, so that the primary's list of replicas holds it.
  depends_on = [aws_kms_replica_key.replica]

  key_id = aws_kms_key.primary.arn
}

data "aws_kms_alias" "files" {
  name = aws_kms_alias.symmetric.name
}

data "aws_kms_public_key" "signer" {
  key_id = aws_kms_key.each["rsa-sign"].arn
}
