"""KMS keys as values: what a key is, what its spec allows, what its state refuses.

Owns the rules of the AWS developer guide that need nothing but the key itself. Refuses to know
how keys are stored, who asks, and what the key material's bytes are.
"""

from keystead.keys.key import Key, Material, MultiRegion, Rotation
from keystead.keys.spec import KEY_SPECS, KeySpec
from keystead.keys.state import KeyState, check_state

__all__ = ["KEY_SPECS", "Key", "KeySpec", "KeyState", "Material", "MultiRegion", "Rotation", "check_state"]
