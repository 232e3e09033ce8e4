# A trail of everything, with signed digests: `aws cloudtrail validate-logs` proves what it delivered.
resource "aws_cloudtrail" "all" {
  name                          = "all"
  s3_bucket_name                = "evidence"
  s3_key_prefix                 = "trails"
  is_multi_region_trail         = true
  include_global_service_events = true
  enable_log_file_validation    = true
  tags                          = { Team = "audit" }
}

# A trail of what changes something, without the calls of KMS, which are very many.
resource "aws_cloudtrail" "changes" {
  name                          = "changes"
  s3_bucket_name                = "evidence"
  include_global_service_events = false
  enable_logging                = false

  event_selector {
    read_write_type                  = "WriteOnly"
    include_management_events        = true
    exclude_management_event_sources = ["kms.amazonaws.com"]
  }
}
