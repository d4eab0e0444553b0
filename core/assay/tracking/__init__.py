"""The bridge to airspeed velocity: which commit made a method slower, hungrier or worse?

asv runs `benchmarks/track` at each commit and keeps the results in its own format. The rooms here start it (`running`),
give it an environment that costs seconds (`libraries`), read what it kept (`results`), judge that (`judging`) and make
its pages work without a network (`publishing`).
"""
