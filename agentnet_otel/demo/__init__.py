"""The workload of `demo`: agents worth looking at, through the manual API or on the real AgentNet."""
