# SPDX-License-Identifier: GPL-3.0-or-later
"""One stream: its events, notes, styles, parameters and frame count. Knows no transport.

A frame k is conditioned on exactly the events before (k + 1) F, so the same events and seed give
the same frames wherever they come from: a MIDI file, a live host or an offline bounce.
"""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandmate.models.bundle import Bundle
from bandmate.models.interface import (
    DRUMS_MASKED,
    DRUMS_OFF,
    NOTE_MASKED,
    PITCHES,
    FrameControls,
    StampedNote,
    StyleEncoder,
)
from bandmate.session.bend import PitchBend
from bandmate.session.events import Event, EventKind
from bandmate.session.gate import MidiGate
from bandmate.session.notes import (
    CC_ALL_NOTES_OFF,
    CC_ALL_SOUND_OFF,
    CC_RESET_CONTROLLERS,
    CHANNELS,
    NoteTracker,
)
from bandmate.session.parameters import Parameter, Parameters
from bandmate.session.style import StyleSlots

CC_MODULATION = 1
CONTROLLER_MAXIMUM = 127
WHEEL_SLOT = 1  # the style slot that users call 2


@dataclass(frozen=True)
class ResumePoint:
    """Where a stream can go on from.

    Attributes:
        state: the model's state; None for a fresh one.
        frame: frames that led to it, which is where its random numbers go on.
    """

    state: Any = None
    frame: int = 0


def _event_time(event: Event) -> int:
    return event.time


class Session:
    """Turns events into one frame's conditioning after another.

    All methods belong to the inference thread, except `styles.replace`.

    Attributes:
        bundle: the model's description.
        styles: the style slots.
        state: the model's state of this stream; None asks for a fresh one.
        frame_index: k, the next frame of the epoch.
        reset_target: what `reset` and each new epoch begin with; a fresh state unless set.
    """

    def __init__(self, bundle: Bundle, encoder: StyleEncoder | None, seed: int = 0) -> None:
        conditioning = bundle.conditioning
        self.bundle = bundle
        self.spec = bundle.frame
        self.styles = StyleSlots(encoder, conditioning.style_levels if conditioning else 0)
        self.parameters = Parameters(bundle.defaults)
        self._notes = NoteTracker(
            self.spec.frame_samples,
            conditioning.onset_phases if conditioning else 0,
            conditioning.velocity_levels if conditioning else 1,
            conditioning.note_history if conditioning else None,
        )
        self._bend = PitchBend(self._notes)
        self._gate = MidiGate(
            self.spec.sample_rate, self.spec.frame_samples, self.spec.delay_samples
        )
        self._gains: NDArray[np.float32] | None = None
        self.reset_target = ResumePoint()
        self.begin_epoch(seed)

    def begin_epoch(self, seed: int) -> None:
        """Starts the stream anew at time 0 without notes. Parameters and styles stay."""
        self._epoch_seed = seed
        self.frame_index = 0
        self.reset()
        self._pending: list[Event] = []
        self._carried: tuple[StampedNote, ...] = ()  # releases from frames that were left out
        self._notes.clear()
        self._bend.clear()
        self._wheel = 0.0
        self._gate.start(enabled=self.parameters.is_on(Parameter.MIDI_GATE))

    def reset(self, rotation: int = 0) -> None:
        """Goes to the reset target. Time, notes, parameters and styles stay.

        Args:
            rotation: 0 replays the same random numbers after each reset; any other number gives
                others, until the next epoch.
        """
        self._seed = (self._epoch_seed + rotation) % 2**64
        self.state: Any = self.reset_target.state
        self._noise_shift = self.reset_target.frame - self.frame_index

    def here(self) -> ResumePoint:
        """Where the stream is now."""
        return ResumePoint(self.state, self.frame_index + self._noise_shift)

    def push(self, event: Event) -> None:
        """Takes an event of this epoch. Order counts only among events of the same time."""
        if self._pending and self._pending[-1].time <= event.time:
            self._pending.append(event)
        else:
            insort(self._pending, event, key=_event_time)

    @property
    def frame_end(self) -> int:
        """Model sample of the epoch at which the next frame's input is complete."""
        return (self.frame_index + 1) * self.spec.frame_samples

    def controls(self) -> FrameControls:
        """Takes the events of the next frame and returns its conditioning."""
        begin = self.frame_index * self.spec.frame_samples
        taken = 0
        for event in self._pending:
            if event.time >= self.frame_end:
                break
            # An event from before the frame came too late for its own: it counts from here on.
            self._apply(event, max(0, event.time - begin))
            taken += 1
        del self._pending[:taken]
        parameters = self.parameters
        notes, stamped = self._notes.frame(
            strum=parameters.is_on(Parameter.STRUM),
            unmask_width=parameters.whole(Parameter.UNMASK_WIDTH),
            early=parameters.is_on(Parameter.TIMING),
        )
        self._gains = self._gate.frame()
        carried, self._carried = self._carried, ()
        weights = self._style_weights()
        return FrameControls(
            style=self.styles.codes(weights),
            notes=notes,
            drums=self._drums(),
            guidance=self._guidance(),
            temperature=parameters[Parameter.TEMPERATURE],
            top_k=max(1, parameters.whole(Parameter.TOP_K)),
            seed=self._seed,
            frame_index=self.frame_index,
            events=carried + stamped,
            noise_shift=self._noise_shift,
            logit_guidance=self.parameters.is_on(Parameter.LOGIT_GUIDANCE),
            anew=self._notes.anew,
            rests=self._notes.rests,
            blend=self.styles.shares(weights),
        )

    def prefill_controls(self) -> FrameControls:
        """The conditioning under which sound is put before a stream: its style, any notes."""
        return FrameControls(
            style=self.styles.codes(self._style_weights()),
            notes=np.full(PITCHES, NOTE_MASKED, np.int32),
            drums=self._drums(),
            guidance=self._guidance(),
            temperature=0.0,
            top_k=1,
            seed=self._seed,
            frame_index=0,
            logit_guidance=self.parameters.is_on(Parameter.LOGIT_GUIDANCE),
        )

    def skip(self, frames: int) -> None:
        """Leaves frames out: notes and parameters go on, the model does not hear of them.

        Releases are handed to the next frame, so that an exact model does not hold notes for ever.
        """
        for _ in range(frames):
            missed = self.controls().events
            self._carried = tuple(replace(n, offset_samples=0) for n in missed if n.velocity == 0)
            self._gains = None
            self.frame_index += 1

    def finish(self, audio: NDArray[np.float32], state: Any) -> NDArray[np.float32]:
        """Ends the frame that `controls` began.

        Args:
            audio: the model's frame [F, channels].
            state: the model's new state.

        Returns:
            The frame as heard [F, channels] float32: gated.
        """
        self.state = state
        self.frame_index += 1
        gains, self._gains = self._gains, None
        if gains is None:
            raise RuntimeError("finish without controls")
        if np.all(gains == 1.0):
            return audio
        return audio * gains[:, None]

    def _drums(self) -> int:
        return DRUMS_MASKED if self.parameters.is_on(Parameter.DRUMS) else DRUMS_OFF

    def _guidance(self) -> tuple[float, float, float]:
        parameters = self.parameters
        return (
            parameters[Parameter.GUIDANCE_STYLE],
            parameters[Parameter.GUIDANCE_NOTES],
            parameters[Parameter.GUIDANCE_DRUMS],
        )

    def _apply(self, event: Event, offset: int) -> None:
        kind, notes = event.kind, self._notes
        if kind is EventKind.PARAMETER:
            parameter = Parameter(event.number)
            self.parameters[parameter] = event.value
            if parameter is not Parameter.MIDI_GATE:
                return
        elif not 0 <= event.channel < CHANNELS or not 0 <= event.number < PITCHES:
            return  # it can only come from a faulty sender
        elif kind is EventKind.NOTE_ON:
            self._bend.note_on(event.channel, event.number, round(event.value), offset)
        elif kind is EventKind.NOTE_OFF:
            self._bend.note_off(event.channel, event.number, offset)
        elif kind is EventKind.PITCH_BEND:
            self._bend.bend(event.channel, event.value, offset)
        elif kind is EventKind.CONTROL:
            self._control(event, offset)
        elif kind is EventKind.ALL_NOTES_OFF:
            notes.all_notes_off(offset)
            self._bend.release()
        elif kind is EventKind.CHANNEL_NOTES_OFF:
            notes.all_notes_off(offset, event.channel)
            self._bend.release(event.channel)
        self._gate.move(
            offset,
            enabled=self.parameters.is_on(Parameter.MIDI_GATE),
            sounding=notes.sounding,
        )

    def _control(self, event: Event, offset: int) -> None:
        channel, number, value = event.channel, event.number, round(event.value)
        self._notes.control(channel, number, value, offset)
        self._bend.control(channel, number, value, offset)
        if number == CC_ALL_SOUND_OFF or number >= CC_ALL_NOTES_OFF:
            self._bend.release(channel)
        elif number == CC_MODULATION:
            self._wheel = value / CONTROLLER_MAXIMUM
        elif number == CC_RESET_CONTROLLERS:
            self._wheel = 0.0

    def _style_weights(self) -> tuple[float, ...]:
        """Each slot's part in the blend; the modulation wheel moves it towards the second one."""
        weights = self.parameters.style_weights
        if self._wheel > 0.0:
            weights = tuple(
                (1.0 - self._wheel) * weight + self._wheel * (slot == WHEEL_SLOT)
                for slot, weight in enumerate(weights)
            )
        return weights
