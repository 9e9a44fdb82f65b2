"""Columns of the two tables that tell the compiled loop what the network is: whole numbers, one row a population or bundle of synapses.

Row 0 of the populations is the input, the last one the read-out. `*_AT`: where its part begins in the flat array of that name.
"""

(
    CHANNELS,
    PADDED,  # channels, a multiple of 16
    HEIGHT,
    WIDTH,
    KEEP,  # 4096 - decay
    FIRST,  # its first bundle of synapses; those from the input come first
    COUNT,
    FROM_INPUT,  # how many come from the input
    V_AT,
    CHANNEL_AT,  # bias, threshold
    EVENT_AT,
    START_AT,
    POSITION_AT,
    RECORD_AT,
    STATIC_AT,
    QUIET,  # 1: nothing happens without input and potential; 2: without input; 0: a bias is at work
    ONCE,  # 1: each neuron fires at most once
    SCATTERED,  # 1: its sums are made event by event, in an image
    IMAGE_AT,  # of the image's first position, behind its margin
    IMAGE_ROW,  # from one row of the image to the next
    IMAGE_BEGIN,  # with its margin
    IMAGE_END,
    POPULATION,
) = range(23)

(
    SOURCE,  # row of the populations
    GROUPED,  # 1: an event adds to the channels of its own group only
    KERNEL_H,
    KERNEL_W,
    STRIDE,
    PADDING,
    WEIGHT_AT,
    ARENA,  # which flat array of weights: ONES_8, ONES_16 ...
    CHUNK,  # so many rows can be added without leaving the sum's bits
    FACTOR,  # what all weights have in common, taken out
    GROUP_IN,  # channels of a group
    GROUP_OUT,
    ROW,  # weights from one input channel to the next
    SHIFT_AT,
    MORE,  # 1: the next bundle has the same weights; their rows are added together
    REACH_X,  # what an event in a column reaches, and in a row; for scattered sums
    REACH_Y,
    LINE,  # weights from one tap of a column to the next; for scattered sums
    SYNAPSES,
) = range(19)

BYTES_IN_BYTES, BYTES, SHORTS, WORDS = range(4)  # int8 summed in int8, int8 in int16, int16 in int32, int32 in int32
FINISHED = 0  # else the row of the population whose potential left 24 bits
SYNOPS, UPDATES, SPIKES = range(3)  # what is counted

# How far the next step's part lies behind this one's, in the flat arrays that hold several steps at once.
EVENTS, STARTS, SHIFTS, LISTS, SUMS, VALUES, STRIDES = range(7)
