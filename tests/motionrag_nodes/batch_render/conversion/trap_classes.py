"""Declarations of classes as a server gives them, one kind of trap each. They need no server that runs them."""

from __future__ import annotations

from typing import Any

IMAGE, MASK, MODEL, LATENT, CONDITIONING = "IMAGE", "MASK", "MODEL", "LATENT", "CONDITIONING"


def declared(
    name: str,
    required: dict[str, Any] | None = None,
    optional: dict[str, Any] | None = None,
    *,
    gives: tuple[Any, ...] = (),
    **more: Any,
) -> dict[str, Any]:
    return {
        "input": {"required": required or {}, **({"optional": optional} if optional else {})},
        "output": list(gives),
        "output_is_list": [False] * len(gives),
        "output_name": [kind if isinstance(kind, str) else "COMBO" for kind in gives],
        "name": name,
        "display_name": more.pop("title", name),
        "description": "",
        "python_module": "custom_nodes.traps",
        "category": "traps",
        "output_node": not gives,
        **more,
    }


def choice(*options: Any, **more: Any) -> list[Any]:
    return ["COMBO", {"options": list(options), **more}]


_GROW_PICTURES = {"template": {"input": {"required": {"image": [IMAGE, {}]}}, "prefix": "image", "min": 2, "max": 6}}
_GROW_NAMED = {"template": {"input": {"required": {"mask": [MASK, {}]}}, "names": ["red", "green", "blue"], "min": 1}}
_GROW_TEXTS = {"template": {"input": {"required": {"text": ["STRING", {}]}}, "prefix": "text", "min": 1, "max": 5}}
_DYNAMIC = {
    "options": [
        {"key": "none", "inputs": {"required": {}}},
        {
            "key": "by size",
            "inputs": {
                "required": {"width": ["INT", {"default": 512}], "height": ["INT", {"default": 256}]},
                "optional": {"mask": [MASK, {}]},
            },
        },
        {
            "key": "by factor",
            "inputs": {
                "required": {
                    "factor": ["FLOAT", {"default": 1.5, "step": 0.01}],
                    "method": [
                        "COMFY_DYNAMICCOMBO_V3",
                        {
                            "options": [
                                {"key": "fast", "inputs": {"required": {}}},
                                {"key": "slow", "inputs": {"required": {"rounds": ["INT", {"default": 3}]}}},
                            ]
                        },
                    ],
                }
            },
        },
    ]
}


def _match(group: str) -> list[Any]:
    return ["COMFY_MATCHTYPE_V3", {"template": {"template_id": group, "allowed_types": "IMAGE,MASK,LATENT"}}]


CLASSES: dict[str, dict[str, Any]] = {
    entry["name"]: entry
    for entry in (
        declared(
            "Picture",
            {"value": ["FLOAT", {"default": 0.5}], "batch": ["INT", {"default": 1, "min": 1}]},
            gives=(IMAGE,),
        ),
        declared("Mask", {}, {"value": ["FLOAT", {"default": 1.0, "step": 0.01}]}, gives=(MASK,)),
        declared("Loader", {"name": [["a.safetensors", "b.safetensors"]]}, gives=(MODEL, "CLIP", "VAE")),
        declared("EmptyLoader", {"name": [[]]}, gives=(MODEL,)),
        declared("Invert", {"image": [IMAGE]}, gives=(IMAGE,)),
        declared(
            "Blend",
            {
                "image1": [IMAGE],
                "image2": [IMAGE],
                "factor": ["FLOAT", {"default": 0.5, "min": 0, "max": 1, "step": 0.01}],
            },
            {"mask": [MASK]},
            gives=(IMAGE, MASK),
        ),
        declared(
            "TwoConditionings",
            {"positive": [CONDITIONING], "negative": [CONDITIONING], "strength": ["FLOAT", {"default": 1.0}]},
            gives=(CONDITIONING, CONDITIONING),
        ),
        declared(
            "Text",
            {"text": ["STRING", {"multiline": True, "dynamicPrompts": True}], "clip": ["CLIP"]},
            gives=(CONDITIONING,),
            title="Text (encode)",
        ),
        declared(
            "PlainText",
            {
                "text": ["STRING", {"default": "hello"}],
                "long": ["STRING", {"multiline": True, "default": "two\nlines"}],
            },
            gives=("STRING",),
        ),
        declared(
            "Join",
            {"a": ["STRING", {"forceInput": True}], "b": ["STRING", {"default": "x"}]},
            {
                "c": ["STRING", {"forceInput": True}],
                "d": ["INT", {"default": 3, "defaultInput": True}],
                "e": ["INT", {"default": 4}],
            },
            gives=("STRING",),
        ),
        declared(
            "KSampler",
            {
                "model": [MODEL],
                "seed": ["INT", {"default": 0, "min": 0, "max": 2**64 - 1, "control_after_generate": True}],
                "steps": ["INT", {"default": 20, "min": 1, "max": 10000}],
                "cfg": ["FLOAT", {"default": 8.0, "min": 0.0, "max": 100.0, "step": 0.1, "round": 0.01}],
                "sampler_name": [["euler", "heun", "dpm_2"], {}],
                "scheduler": [["normal", "karras"]],
                "positive": [CONDITIONING],
                "negative": [CONDITIONING],
                "latent_image": [LATENT],
                "denoise": ["FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.01}],
            },
            gives=(LATENT,),
            title="KSampler",
        ),
        declared(
            "OldSeeds",
            {
                "noise_seed": ["INT", {"default": 5}],
                "seed": ["INT", {"control_after_generate": False}],
                "text": ["STRING", {}],
            },
            gives=("INT",),
        ),
        declared(
            "NamedControls",
            {
                "a": ["INT", {"control_after_generate": "first control"}],
                "b": ["FLOAT", {"control_after_generate": True}],
                "c": choice("x", "y", "z", control_after_generate=True),
                "d": ["BOOLEAN", {"default": True}],
            },
            gives=("INT",),
        ),
        declared(
            "Choices",
            {
                "old": [["one", "two"], {"default": "two"}],
                "new": choice("red", "blue"),
                "numbers": [[1, 2, 0.5]],
                "empty": [[]],
                "switches": [[True, False]],
                "zero": [[0, 1], {"default": 0}],
                "several": choice("p", "q", multi_select=True),
            },
            gives=(["one", "two"],),
        ),
        declared(
            "Ordered",
            {"b": ["INT", {"default": 2}], "a": ["INT", {"default": 1}], "image": [IMAGE]},
            {"z": ["STRING", {"default": "z"}], "y": ["STRING", {"default": "y"}]},
            gives=(IMAGE,),
            input_order={"required": ["image", "a", "b"], "optional": ["y", "z"]},
        ),
        declared(
            "Numbered",
            {
                "10": ["INT", {"default": 10}],
                "9": ["INT", {"default": 9}],
                "name": ["STRING", {"default": "n"}],
                "2": ["INT", {"default": 2}],
            },
            gives=("INT",),
        ),
        declared(
            "Socketless",
            {
                "shown": ["INT", {"default": 1}],
                "bare": ["INT", {"default": 2, "socketless": True}],
                "typed": ["SIGMAS", {"widgetType": "STRING", "default": "1, 2"}],
            },
            gives=("INT",),
        ),
        declared(
            "LoadImage",
            {"image": [["a.png", "b.png"], {"image_upload": True}]},
            gives=(IMAGE, MASK),
            title="Load Image",
        ),
        declared(
            "LoadFromOutput",
            {"file": choice("c.png", image_upload=True, image_folder="output"), "more": ["INT", {"default": 1}]},
            gives=(IMAGE,),
        ),
        declared("LoadAudio", {"audio": [["s.wav"], {"audio_upload": True}]}, gives=("AUDIO",), title="Load Audio"),
        declared(
            "SaveImage", {"images": [IMAGE], "filename_prefix": ["STRING", {"default": "ComfyUI"}]}, title="Save Image"
        ),
        declared("KeepText", {"text": ["STRING", {"forceInput": True}]}, {"note": ["STRING", {"default": ""}]}),
        declared("PreviewAny", {"source": ["*", {}]}, title="Preview as Text"),
        declared("PrimitiveFloat", {"value": ["FLOAT", {"step": 0.1}]}, gives=("FLOAT",), title="Float"),
        declared("PrimitiveInt", {"value": ["INT", {"control_after_generate": True}]}, gives=("INT",), title="Int"),
        declared(
            "Fields",
            {
                "colour": ["COLOR", {"default": "#ff0000"}],
                "box": ["BOUNDING_BOX", {}],
                "area": ["TEXTAREA", {}],
                "mark": ["MARKDOWN", {"default": "# hi"}],
                "last": ["INT", {"default": 7}],
            },
            gives=(IMAGE,),
        ),
        declared(
            "MoreFields",
            {
                "curve": ["CURVE", {}],
                "range": ["RANGE", {}],
                "compare": ["IMAGECOMPARE", {}],
                "colours": ["COLORS", {"default": ["#000", "#fff"]}],
                "boxes": ["BOUNDING_BOXES", {}],
                "edit": ["VIDEO_EDIT", {}],
                "last": ["INT", {"default": 7}],
            },
            gives=(IMAGE,),
        ),
        declared(
            "Grow", {"images": ["COMFY_AUTOGROW_V3", _GROW_PICTURES], "size": ["INT", {"default": 64}]}, gives=(IMAGE,)
        ),
        declared("GrowNamed", {"masks": ["COMFY_AUTOGROW_V3", _GROW_NAMED]}, gives=(MASK,)),
        declared(
            "GrowTexts",
            {"texts": ["COMFY_AUTOGROW_V3", _GROW_TEXTS], "after": ["STRING", {"default": "end"}]},
            gives=("STRING",),
        ),
        declared(
            "Dynamic",
            {"image": [IMAGE], "how": ["COMFY_DYNAMICCOMBO_V3", _DYNAMIC], "after": ["INT", {"default": 9}]},
            gives=(IMAGE,),
        ),
        declared(
            "Match",
            {"first": _match("t"), "second": _match("t"), "flag": ["BOOLEAN", {}]},
            gives=("COMFY_MATCHTYPE_V3",),
            output_matchtypes=["t"],
        ),
        declared("AnyPass", {"anything": ["*", {}]}, gives=("*",)),
        declared("ImageOrMask", {"either": ["IMAGE,MASK", {}]}, {"second": [MASK]}, gives=("IMAGE,MASK", MASK)),
        declared(
            "EmptyLatent",
            {
                "width": ["INT", {"default": 512, "min": 16, "step": 8}],
                "height": ["INT", {"default": 512, "min": 16, "step": 8}],
            },
            gives=(LATENT,),
        ),
        declared("Decode", {"samples": [LATENT], "vae": ["VAE"]}, gives=(IMAGE,)),
        declared("Nothing", {}, gives=(IMAGE,)),
        declared(
            "OptionalOnly",
            None,
            {"image": [IMAGE], "text": ["STRING", {"default": "maybe"}], "count": ["INT", {}]},
            gives=(IMAGE,),
        ),
    )
}
