"""One module a verb of the agent, each with `main(system, arguments, stdin)`."""
