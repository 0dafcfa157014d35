"""The tables of a report, each made from turns: a module for each of its sections."""
