"""What tells one tokenizer from another: how it cuts a text that has something of everything."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

_PROBE: Final = (
    "The quick brown fox, aged 1234567 years, isn't jumping over 3.14 lazy dogs!\n\n\tdef f(x):\n        return "
    "x**2  # naïve\r\n Ärger über Größe; ¿Qué? Привет, мир. 東京都は日本の首都です。 안녕하세요 مرحبا 🙂👩‍💻 "
    '<div class="a">https://example.org/a?b=c&d=%20</div> {"key": [null, true, -0.5e10]} ABCxyz___---===   end'
)


def words_print(tokenizer: Any) -> str:
    """Sixteen hexadecimal digits of what a probe text becomes. Tokens that nothing leads to do not count."""
    ids = tokenizer.encode(_PROBE, add_special_tokens=False)
    return hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()[:16]
