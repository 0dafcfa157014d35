"""Builds monitors from specs; none of them works (trap 14)."""


class MonitorFactory:
    """Makes callables that are all named "monitor"."""

    @staticmethod
    def build(spec):
        """Return a monitor that fails with AttributeError when called."""

        def monitor(agent, task, result):
            spec.evaluate(agent, task, result)  # a MonitorSpec has no such method

        return monitor
