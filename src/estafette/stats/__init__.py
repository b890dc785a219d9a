"""How much: figures from messages per state, and one function for every rate that has a name.

Takes: messages counted per (state, marks), events. Gives: figures, rates, operator metrics.
Owns: what each number means, by the status page's definitions. Never: the store; what is counted comes in as an argument.
"""
