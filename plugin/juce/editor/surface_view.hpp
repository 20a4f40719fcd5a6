// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "controls.hpp"

#include "../session_state.hpp"

#include <array>
#include <memory>

namespace bandmate::plugin
{

class Processor;
class SurfaceHandle;

// The prompts as points on a plane and the cursor between them. Points and cursor are moved by mouse or, with
// the keyboard's focus, by arrow keys; a cursor that is thrown glides on and bounces off the edges. A double
// click on an empty place puts a style there, if a slot is free.
class SurfaceView : public juce::Component, private juce::Timer
{
public:
    explicit SurfaceView (Processor& processor);
    ~SurfaceView() override;

    void show (const SessionState& session, const StyleWeights& weights);

    void paint (juce::Graphics& g) override;
    void resized() override;
    void mouseDown (const juce::MouseEvent& event) override;
    void mouseDrag (const juce::MouseEvent& event) override;
    void mouseUp (const juce::MouseEvent& event) override;
    void mouseDoubleClick (const juce::MouseEvent& event) override;

private:
    void timerCallback() override;
    juce::Rectangle<float> plane() const;
    juce::Point<float> place_of (SurfacePoint point) const;
    SurfacePoint point_at (juce::Point<float> place) const;
    void move_point (int slot, SurfacePoint to);
    void drag_cursor (SurfacePoint to);
    void stop_gliding();
    void nudge_cursor (float dx, float dy);
    void place_handles();
    bool is_on() const;

    Processor& processor_;
    ParameterSwitch switch_;
    juce::ToggleButton drift_{"Drift"};
    juce::ParameterAttachment x_, y_;
    std::array<std::unique_ptr<SurfaceHandle>, protocol::style_slots> handles_;
    std::unique_ptr<SurfaceHandle> cursor_handle_;
    SessionState session_;
    StyleWeights weights_{};
    bool was_on_ = false;
    SurfacePoint cursor_;
    SurfacePoint speed_{0.0f, 0.0f}; // of the cursor, in surfaces a second
    juce::uint32 moved_ms_ = 0;
    bool is_dragging_ = false;
    bool is_in_gesture_ = false; // from a drag's beginning to the end of its glide
};

} // namespace bandmate::plugin
