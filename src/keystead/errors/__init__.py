"""Every error that Keystead raises on purpose, in one hierarchy.

    KeysteadError
    ├── ApiError                     what a caller of an AWS API is told (code, message, HTTP status)
    │   ├── NotFound, Disabled, …    one class for each AWS error code
    ├── CryptoError                  a primitive refused its input; services translate it
    └── OperatorError                what the person who runs Keystead is told
        └── StorageError, SealError, JournalError, LogError, BlobError

An exception outside this hierarchy is a defect: the pipeline answers it as an opaque
internal failure and writes the detail to the log.
"""

from keystead.errors.accessanalyzer import *
from keystead.errors.base import *
from keystead.errors.cloudtrail import *
from keystead.errors.identities import *
from keystead.errors.kms import *
from keystead.errors.objects import *
from keystead.errors.own import *
from keystead.errors.s3 import *
from keystead.errors.s3_bodies import *
from keystead.errors.s3_settings import *
