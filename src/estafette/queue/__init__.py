"""When and where: the retry plan, paths and their limits, fair selection. All pure.

Takes: facts about a message and its path (attempts, deadline, replies), time and chance as numbers. Gives: a plan.
Owns: lanes, retry times; shaping: limits, rates, windows, rules on replies, pools of sources, warm-up. Never: SMTP, bodies, the store.
"""
