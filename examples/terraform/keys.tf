# One key of each kind.

resource "aws_kms_key" "symmetric" {
  description             = "Encrypts files; new material every 180 days"
  policy                  = local.account_policy
  enable_key_rotation     = true
  rotation_period_in_days = 180
  deletion_window_in_days = 7

  tags = {
    Team    = "storage"
    Purpose = "files"
  }
}

resource "aws_kms_key" "disabled" {
  #checkov:skip=CKV_AWS_227:It shows a key that is disabled.
  #checkov:skip=CKV_AWS_7:A disabled key is not rotated.
  description             = "Made, and not in use yet"
  policy                  = local.account_policy
  is_enabled              = false
  deletion_window_in_days = 7
}

locals {
  # What a key gets without a policy: the account's identity policies decide.
  account_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "EnableTheAccount"
      Effect    = "Allow"
      Principal = { AWS = local.root }
      Action    = "kms:*"
      Resource  = "*"
    }]
  })

  asymmetric = {
    rsa-encrypt = { spec = "RSA_2048", usage = "ENCRYPT_DECRYPT" }
    rsa-sign    = { spec = "RSA_3072", usage = "SIGN_VERIFY" }
    ecc-sign    = { spec = "ECC_NIST_P256", usage = "SIGN_VERIFY" }
    ecc-agree   = { spec = "ECC_NIST_P384", usage = "KEY_AGREEMENT" }
    ledger      = { spec = "ECC_SECG_P256K1", usage = "SIGN_VERIFY" }
    mac         = { spec = "HMAC_256", usage = "GENERATE_VERIFY_MAC" }
  }
}

resource "aws_kms_key" "each" {
  for_each = local.asymmetric

  #checkov:skip=CKV_AWS_7:AWS KMS rotates symmetric encryption keys only.
  description              = "An example of ${each.value.spec} for ${each.value.usage}"
  policy                   = local.account_policy
  customer_master_key_spec = each.value.spec
  key_usage                = each.value.usage
  deletion_window_in_days  = 7
}

resource "aws_kms_alias" "symmetric" {
  name          = "alias/${var.name}/files"
  target_key_id = aws_kms_key.symmetric.key_id
}

resource "aws_kms_alias" "each" {
  for_each = local.asymmetric

  name          = "alias/${var.name}/${each.key}"
  target_key_id = aws_kms_key.each[each.key].arn
}

# Material that was made elsewhere. Real material belongs in no file: these bytes are an example.
resource "aws_kms_external_key" "imported" {
  description             = "Holds material that was made elsewhere"
  key_material_base64     = base64encode("0123456789abcdef0123456789abcdef")
  enabled                 = true
  deletion_window_in_days = 7

  tags = {
    Origin = "elsewhere"
  }
}

resource "aws_kms_external_key" "empty" {
  description             = "Waits for its material"
  deletion_window_in_days = 7
}
