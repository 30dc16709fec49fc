"""DynamiCrafter as one pipeline of diffusers' kind: picture and prompt in, frames out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline
from torch import Tensor, nn

from motionrag_nodes.backbones.dynamicrafter import sampler
from motionrag_nodes.backbones.dynamicrafter.unet import DynamiCrafterUNet


class DynamiCrafterPipeline(DiffusionPipeline):
    """Xing et al. 2023 (arXiv 2310.12190), without text or picture dropped one at a time.

    `text_tokens` and `picture_tokens` are the modules of conditions.py. `num_timesteps` is the number of steps of the
    run under way, `decoded_frames` how many frames are decoded at once.
    """

    model_cpu_offload_seq = "text_tokens->picture_tokens->unet->vae"
    # Layer by layer they cannot come: torch's own attention, which open_clip uses, reads weights of layers that it does
    # not call.
    _exclude_from_cpu_offload = ("text_tokens", "picture_tokens")

    def __init__(
        self,
        *,
        unet: DynamiCrafterUNet,
        vae: AutoencoderKL,
        text_tokens: nn.Module,
        picture_tokens: nn.Module,
        scheduler: DDIMScheduler,
    ) -> None:
        super().__init__()
        self.register_modules(
            unet=unet, vae=vae, text_tokens=text_tokens, picture_tokens=picture_tokens, scheduler=scheduler
        )
        self.num_timesteps = 0
        self.decoded_frames = 1

    @property
    def vae_scale_factor(self) -> int:
        """How many pixels a latent stands for, along one side."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @torch.no_grad()
    def __call__(
        self,
        pictures: Tensor,
        *,
        prompt: str,
        frames: int,
        steps: int,
        guidance: float,
        frame_stride: int,
        eta: float,
        generators: Sequence[torch.Generator],
    ) -> Tensor:
        """Pictures [B, 3, H, W] in [-1, 1], a generator on the CPU for each -> videos [B, T, 3, H, W] in [0, 1]."""
        device, dtype = self._execution_device, self.unet.dtype
        pictures = pictures.to(device, dtype)
        guided = guidance > 1
        text = self.text_tokens([""] * guided + [prompt]).repeat_interleave(len(pictures), dim=0)
        seen = torch.cat([torch.zeros_like(pictures)] * guided + [pictures])
        image = self.picture_tokens(seen)
        first = self._encode(pictures)[:, :, None].expand(-1, -1, frames, -1, -1)  # [B, C, T, h, w]
        stride = torch.full((len(text),), frame_stride, device=device)
        taken = sampler.timesteps(steps)
        self.num_timesteps = len(taken)
        self.scheduler.set_timesteps(steps, device=device)
        sample = self._noise(first, generators)
        for timestep, factor in zip(taken.tolist(), sampler.rescale_factors(taken).tolist(), strict=True):
            told = torch.cat([sample.to(dtype), first], dim=1)
            told = torch.cat([told] * 2) if guided else told
            at = torch.full((len(told),), timestep, device=device)
            answer = self.unet(told, at, text=text, image=image, frame_stride=stride).float()
            if guided:
                unconditional, conditional = answer.chunk(2)
                answer = unconditional + guidance * (conditional - unconditional)
            sample = sampler.step(
                self.scheduler, answer, sample, timestep=timestep, factor=factor, eta=eta,
                noise=self._noise(first, generators),
            )  # fmt: skip
        return self._decode(sample.to(dtype))

    def _noise(self, like: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        """float32, each clip's from its own generator, on the CPU whatever the device."""
        made = [torch.randn(like.shape[1:], generator=generator) for generator in generators]
        return torch.stack(made).to(like.device)

    def _encode(self, pictures: Tensor) -> Tensor:
        """[B, 3, H, W] -> latents [B, C, h, w]"""
        latents: Tensor = self.vae.encode(pictures).latent_dist.mode() * self.vae.config.scaling_factor
        return latents

    def _decode(self, latents: Tensor) -> Tensor:
        """Some frames at a time, which bounds memory: latents [B, C, T, h, w] -> [B, T, 3, H, W] in [0, 1]"""
        scaled = latents.transpose(1, 2).flatten(0, 1) / self.vae.config.scaling_factor
        frames = torch.cat([self.vae.decode(some).sample for some in scaled.split(self.decoded_frames)])
        videos: Tensor = (frames.float() / 2 + 0.5).clamp(0, 1).unflatten(0, (len(latents), -1))
        return videos
