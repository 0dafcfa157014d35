"""The tools by name."""


class ToolRegistry:
    """Holds tools."""

    def __init__(self):
        self._tools = {}

    def register_tool(self, tool):
        """Add a tool under the name in its spec."""
        self._tools[tool.spec.name] = tool

    def get_tool(self, name):
        """Return a tool or None."""
        return self._tools.get(name)

    def list_tools(self):
        """Return the names."""
        return list(self._tools)
