"""Guesses reasoning settings from the wording of a task."""

HARD_WORDS = ("analyse", "analyze", "prove", "design", "compare", "strategy")


class AutoConfig:
    """Rates a task and proposes a depth and a threshold."""

    def configure_scenario(self, task, context=None, base_max_depth=3, base_confidence_threshold=0.7):
        """Return the proposed settings; needs a str task."""
        text = task.lower()
        hard = sum(word in text for word in HARD_WORDS) + len(text.split()) // 40
        level = "hard" if hard > 1 else "medium" if hard else "simple"
        step = {"simple": 0, "medium": 1, "hard": 2}[level]
        return {
            "difficulty": level,
            "max_depth": base_max_depth + step,
            "confidence_threshold": min(0.95, base_confidence_threshold + 0.05 * step),
            "context_keys": sorted(context or {}, key=str),
        }

    def should_auto_configure(self, metadata):
        """Tell whether the metadata leaves this step on; needs a dict or None."""
        return (metadata or {}).get("auto_config", True) is not False


_shared = None


def get_global_autoconfig():
    """Return the one shared AutoConfig."""
    global _shared
    if _shared is None:
        _shared = AutoConfig()
    return _shared
