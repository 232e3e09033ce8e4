# Keys of the same material in two Regions.

resource "aws_kms_key" "primary" {
  description             = "The primary of a multi-Region key"
  policy                  = local.account_policy
  multi_region            = true
  enable_key_rotation     = true
  deletion_window_in_days = 7
}

resource "aws_kms_replica_key" "replica" {
  provider = aws.replica

  description             = "Its replica"
  primary_key_arn         = aws_kms_key.primary.arn
  deletion_window_in_days = 7

  tags = {
    Role = "replica"
  }
}

resource "aws_kms_alias" "replica" {
  provider = aws.replica

  name          = "alias/${var.name}/everywhere"
  target_key_id = aws_kms_replica_key.replica.key_id
}

resource "aws_kms_external_key" "primary" {
  description             = "The primary of a multi-Region key with imported material"
  multi_region            = true
  key_material_base64     = base64encode("fedcba9876543210fedcba9876543210")
  enabled                 = true
  deletion_window_in_days = 7
}

resource "aws_kms_replica_external_key" "replica" {
  provider = aws.replica

  description             = "Its replica, given the same material"
  primary_key_arn         = aws_kms_external_key.primary.arn
  key_material_base64     = aws_kms_external_key.primary.key_material_base64
  deletion_window_in_days = 7
}
