"""Amazon S3: buckets and objects, encrypted before any store sees them.

Owns buckets' settings, versions of objects, where an object's data key comes from, and which blobs are its bytes.
Keys of KMS are used as the caller and through the pipeline (`api.client`), so that key policies, grants and
`kms:ViaService` decide and each use is recorded. Refuses to know how bytes are sealed and kept (`objects`) and how
they come and go (`api.payload`, `http`).
"""

from keystead.services.s3.service import S3

__all__ = ["S3"]
