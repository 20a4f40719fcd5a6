// SPDX-License-Identifier: GPL-3.0-or-later
#include "surface_handle.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr float step = 0.01f; // of an arrow key
constexpr float big_step = 0.05f;

} // namespace

SurfaceHandle::SurfaceHandle (int slot) : slot_ (slot)
{
    setWantsKeyboardFocus (true);
    setRepaintsOnMouseActivity (true);
    setMouseCursor (juce::MouseCursor::PointingHandCursor);
    if (slot == cursor)
        describe (*this, "Surface cursor", "Drag it, throw it, or move it with the arrow keys.");
    else
        describe (*this, "Place of style " + juce::String (slot + 1),
                  "Drag it to where the style belongs, or move it with the arrow keys.");
}

void SurfaceHandle::show (bool is_on, float weight)
{
    is_on_ = is_on;
    weight_ = weight;
    repaint();
}

void SurfaceHandle::paint (juce::Graphics& g)
{
    const auto area = getLocalBounds().toFloat();
    if (slot_ == cursor)
    {
        g.setColour (juce::Colours::white.withAlpha (is_on_ ? 1.0f : 0.35f));
        g.drawEllipse (area.reduced (5.0f), 2.5f);
        g.fillEllipse (area.withSizeKeepingCentre (6.0f, 6.0f));
    }
    else
    {
        const auto dot = area.withSizeKeepingCentre (24.0f, 24.0f);
        g.setColour (theme::raised.interpolatedWith (theme::accent, is_on_ ? weight_ : 0.0f));
        g.fillEllipse (dot);
        g.setColour (isMouseOver() ? theme::text : theme::accent.withAlpha (0.8f));
        g.drawEllipse (dot.reduced (0.75f), 1.5f);
        g.setColour (weight_ > 0.5f && is_on_ ? theme::on_accent : theme::text);
        g.setFont (theme::font (theme::small_height, true));
        g.drawText (juce::String (slot_ + 1), area, juce::Justification::centred);
    }
    if (hasKeyboardFocus (true))
    {
        g.setColour (theme::accent);
        g.drawEllipse (area.reduced (0.75f), 1.5f);
    }
}

void SurfaceHandle::mouseDown (const juce::MouseEvent& event)
{
    if (on_press)
        on_press (event);
}

void SurfaceHandle::mouseDrag (const juce::MouseEvent& event)
{
    if (on_drag)
        on_drag (event);
}

void SurfaceHandle::mouseUp (const juce::MouseEvent& event)
{
    if (on_release)
        on_release (event);
}

bool SurfaceHandle::keyPressed (const juce::KeyPress& key)
{
    const float size = key.getModifiers().isShiftDown() ? big_step : step;
    const int code = key.getKeyCode();
    const float dx = code == juce::KeyPress::leftKey ? -size : code == juce::KeyPress::rightKey ? size : 0.0f;
    const float dy = code == juce::KeyPress::upKey ? -size : code == juce::KeyPress::downKey ? size : 0.0f;
    if (!on_nudge || (dx == 0.0f && dy == 0.0f))
        return false;
    on_nudge (dx, dy);
    return true;
}

} // namespace bandmate::plugin
