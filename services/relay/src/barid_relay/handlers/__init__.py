"""What the relay does: takes mail into its queue, delivers what is due, answers operators."""
