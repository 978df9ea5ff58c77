"""The chapter as code. Read these five files in this order: activation, cost, network, backprop, sgd."""
