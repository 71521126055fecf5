from django.apps import AppConfig


class AnnotationConfig(AppConfig):
    name = "apps.annotation"

    def ready(self) -> None:
        from pydicom.uid import SegmentationStorage

        from apps.accounts.context import count_with
        from apps.annotation import page, selectors
        from apps.annotation.dicom_seg.receive import receive_segmentation
        from apps.annotation.query_rules import register_rules
        from apps.annotation.trail import register_words
        from apps.annotation.worklist.rows import count_waiting
        from apps.core import sweep
        from apps.imaging.derived import takers
        from apps.imaging.slices import overlays
        from apps.patients.page import register

        register_words()
        count_with("masks:list", count_waiting)
        register_rules()
        sweep.keep("annotation.Mask", "file")
        sweep.keep("annotation.Suggestion", "file")
        overlays.append(selectors.MaskOverlay())
        takers[SegmentationStorage] = receive_segmentation
        for part in page.PARTS:
            register(part)
