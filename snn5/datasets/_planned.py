"""Data sets whose terms and layout are known, but which this version does not read yet."""

from snn5.datasets._registry import Entry, register

_GESTURES = (
    "hand_clapping",
    "right_hand_wave",
    "left_hand_wave",
    "right_arm_clockwise",
    "right_arm_counter_clockwise",
    "left_arm_clockwise",
    "left_arm_counter_clockwise",
    "arm_roll",
    "air_drums",
    "air_guitar",
    "other_gestures",
)

register(
    Entry(
        name="cifar10dvs",
        kind="events",
        classes=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        source="https://figshare.com/articles/dataset/CIFAR10-DVS_New/4724671",
        licence="CC BY 4.0",
        citation="H. Li, H. Liu, X. Ji, G. Li, L. Shi, CIFAR10-DVS: an event-stream dataset for object classification, "
        "Front. Neurosci. 11:309, 2017, doi:10.3389/fnins.2017.00309",
        files="CIFAR10DVS/<class>/*.aedat4, 1000 a class, and the archive CIFAR10DVS/CIFAR10DVS.zip",
        paths=("CIFAR10DVS",),
    )
)
register(
    Entry(
        name="shd",
        kind="events",
        classes=tuple(f"{language}_{digit}" for language in ("english", "german") for digit in range(10)),
        source="https://zenkelab.org/resources/spiking-heidelberg-datasets-shd/",
        licence="CC BY 4.0",
        citation="B. Cramer, Y. Stradmann, J. Schemmel, F. Zenke, The Heidelberg Spiking Data Sets for the Systematic Evaluation of "
        "Spiking Neural Networks, IEEE Trans. Neural Netw. Learn. Syst. 33(7), 2022, doi:10.1109/TNNLS.2020.3044364",
        files="SHD/shd_train.h5 and SHD/shd_test.h5 (spikes/times, spikes/units, labels, extra/keys, extra/speaker), and the archives "
        "SHD/shd_train.h5.zip and SHD/shd_test.h5.zip",
        paths=("SHD",),
    )
)
register(
    Entry(
        name="ncaltech101",
        kind="events",
        classes=(),  # 101 folder names; they come with the files
        source="https://www.garrickorchard.com/datasets/n-caltech101",
        licence="CC BY 4.0",
        citation="G. Orchard, A. Jayawant, G. K. Cohen, N. Thakor, Converting static image datasets to spiking neuromorphic datasets using "
        "saccades, Front. Neurosci. 9:437, 2015, doi:10.3389/fnins.2015.00437",
        files="NCALTECH101/Caltech101/<class>/*.bin, 8709 recordings, and the archive NCALTECH101/N-Caltech101-archive.zip",
        paths=("NCALTECH101",),
    )
)
register(
    Entry(
        name="dvsgesture",
        kind="events",
        classes=_GESTURES,
        source="https://research.ibm.com/interactive/dvsgesture/",
        licence="CC BY 4.0",
        citation="A. Amir et al., A Low Power, Fully Event-Based Gesture Recognition System, CVPR 2017, doi:10.1109/CVPR.2017.781",
        files="DVSGesture/ibmGestureTrain/**/*.npy and DVSGesture/ibmGestureTest/**/*.npy, and the archives "
        "DVSGesture/ibmGestureTrain.tar.gz and DVSGesture/ibmGestureTest.tar.gz",
        paths=("DVSGesture",),
    )
)
