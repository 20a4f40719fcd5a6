// SPDX-License-Identifier: GPL-3.0-or-later
#include "surface_view.hpp"

#include "suggestions.hpp"
#include "surface_handle.hpp"

#include "../parameters.hpp"
#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr int header_height = 36;
constexpr int glide_hz = 60;
constexpr float friction = 1.2f;     // share of the speed that is lost a second
constexpr float speed_least = 0.02f; // below it a glide ends
constexpr float speed_most = 3.0f;
constexpr float handle_size = 30.0f;

float limited (float value)
{
    return juce::jlimit (0.0f, 1.0f, value);
}

} // namespace

SurfaceView::SurfaceView (Processor& processor)
    : processor_ (processor), switch_ (processor.parameters(), parameter_id::surface, "On"),
      x_ (*processor.parameters().getParameter (parameter_id::cursor_x),
          [this] (float value)
          {
              cursor_.x = value;
              place_handles();
          }),
      y_ (*processor.parameters().getParameter (parameter_id::cursor_y),
          [this] (float value)
          {
              cursor_.y = value;
              place_handles();
          })
{
    setTitle ("Prompt surface");
    addAndMakeVisible (switch_);
    describe (drift_, "Drift", "A cursor that is thrown never stops: it drifts and bounces off the edges.");
    addAndMakeVisible (drift_);
    for (size_t slot = 0; slot < handles_.size(); ++slot)
    {
        const auto number = static_cast<int> (slot);
        auto& handle = *(handles_[slot] = std::make_unique<SurfaceHandle> (number));
        handle.on_drag = [this, number] (const juce::MouseEvent& event)
        {
            move_point (number, point_at (event.getEventRelativeTo (this).position));
        };
        handle.on_nudge = [this, number, slot] (float dx, float dy)
        {
            const auto point = session_.points[slot];
            move_point (number, {limited (point.x + dx), limited (point.y + dy)});
        };
        addChildComponent (handle);
    }
    cursor_handle_ = std::make_unique<SurfaceHandle> (SurfaceHandle::cursor);
    cursor_handle_->on_press = [this] (const juce::MouseEvent& event)
    {
        mouseDown (event.getEventRelativeTo (this));
    };
    cursor_handle_->on_drag = [this] (const juce::MouseEvent& event)
    {
        mouseDrag (event.getEventRelativeTo (this));
    };
    cursor_handle_->on_release = [this] (const juce::MouseEvent& event)
    {
        mouseUp (event.getEventRelativeTo (this));
    };
    cursor_handle_->on_nudge = [this] (float dx, float dy)
    {
        nudge_cursor (dx, dy);
    };
    addAndMakeVisible (*cursor_handle_);
    x_.sendInitialUpdate();
    y_.sendInitialUpdate();
}

SurfaceView::~SurfaceView()
{
    stop_gliding();
}

void SurfaceView::show (const SessionState& session, const StyleWeights& weights)
{
    if (session == session_ && weights == weights_ && is_on() == was_on_)
        return;
    was_on_ = is_on();
    session_ = session;
    weights_ = weights;
    place_handles();
    repaint();
}

bool SurfaceView::is_on() const
{
    return switch_.getToggleState();
}

juce::Rectangle<float> SurfaceView::plane() const
{
    return getLocalBounds().withTrimmedTop (header_height).reduced (14, 0).withTrimmedBottom (14).toFloat();
}

juce::Point<float> SurfaceView::place_of (SurfacePoint point) const
{
    const auto area = plane().reduced (handle_size / 2.0f);
    return {area.getX() + point.x * area.getWidth(), area.getY() + point.y * area.getHeight()};
}

SurfacePoint SurfaceView::point_at (juce::Point<float> place) const
{
    const auto area = plane().reduced (handle_size / 2.0f);
    return {limited ((place.x - area.getX()) / area.getWidth()),
            limited ((place.y - area.getY()) / area.getHeight())};
}

void SurfaceView::move_point (int slot, SurfacePoint to)
{
    processor_.set_point (slot, to);
    show (processor_.session(), processor_.style_weights());
}

void SurfaceView::place_handles()
{
    if (cursor_handle_ == nullptr) // the first update comes before it
        return;
    const auto place = [this] (SurfaceHandle& handle, SurfacePoint point, float weight)
    {
        handle.setBounds (
            juce::Rectangle<float> (handle_size, handle_size).withCentre (place_of (point)).toNearestInt());
        handle.show (is_on(), weight);
    };
    for (size_t slot = 0; slot < handles_.size(); ++slot)
    {
        handles_[slot]->setVisible (session_.is_filled (slot));
        place (*handles_[slot], session_.points[slot], static_cast<float> (weights_[slot]));
    }
    place (*cursor_handle_, cursor_, 0.0f);
    repaint();
}

void SurfaceView::paint (juce::Graphics& g)
{
    theme::draw_card (g, getLocalBounds(), "SURFACE");
    const auto area = plane();
    g.setColour (theme::groove);
    g.fillRoundedRectangle (area, theme::small_corner);
    g.setColour (theme::outline.withAlpha (0.35f));
    for (int i = 1; i < 8; ++i)
    {
        const auto part = static_cast<float> (i) / 8.0f;
        g.drawVerticalLine (juce::roundToInt (area.getX() + part * area.getWidth()), area.getY(),
                            area.getBottom());
        g.drawHorizontalLine (juce::roundToInt (area.getY() + part * area.getHeight()), area.getX(),
                              area.getRight());
    }
    g.saveState();
    g.reduceClipRegion (area.toNearestInt());
    const auto from = place_of (cursor_);
    bool is_empty = true;
    for (size_t slot = 0; slot < weights_.size(); ++slot)
    {
        if (!session_.is_filled (slot))
            continue;
        is_empty = false;
        const auto to = place_of (session_.points[slot]);
        const auto weight = static_cast<float> (weights_[slot]);
        if (is_on() && weight > 0.005f)
        {
            g.setColour (theme::accent.withAlpha (0.15f + 0.85f * weight));
            g.drawLine ({from, to}, 1.0f + 4.0f * weight);
        }
        const auto& sound = session_.sounds[slot];
        const auto name =
            juce::String::fromUTF8 ((sound.sound.empty() ? session_.prompts[slot] : sound.name).c_str());
        g.setColour (is_on() ? theme::text : theme::dim);
        g.setFont (theme::font (theme::small_height));
        const auto label = juce::Rectangle<float> (130.0f, 16.0f)
                               .withCentre ({to.x, to.y + (to.y > area.getCentreY() ? 22.0f : -22.0f)})
                               .constrainedWithin (area.reduced (2.0f));
        g.drawText (name, label, juce::Justification::centred);
    }
    g.restoreState();
    if (is_empty)
    {
        g.setColour (theme::dim);
        g.setFont (theme::font (theme::title_height));
        g.drawFittedText ("Styles that have words or a sound appear here.",
                          area.toNearestInt().withTrimmedTop (40), juce::Justification::centred, 2);
    }
}

void SurfaceView::resized()
{
    auto header = getLocalBounds().removeFromTop (header_height).reduced (14, 6);
    switch_.setBounds (header.removeFromRight (64));
    header.removeFromRight (10);
    drift_.setBounds (header.removeFromRight (76));
    place_handles();
}

void SurfaceView::mouseDown (const juce::MouseEvent& event)
{
    if (!plane().contains (event.position))
        return;
    stop_gliding();
    is_dragging_ = is_in_gesture_ = true;
    x_.beginGesture();
    y_.beginGesture();
    moved_ms_ = juce::Time::getMillisecondCounter();
    drag_cursor (point_at (event.position));
    cursor_handle_->grabKeyboardFocus();
}

void SurfaceView::mouseDrag (const juce::MouseEvent& event)
{
    if (!is_dragging_)
        return;
    const auto to = point_at (event.position);
    const auto now = juce::Time::getMillisecondCounter();
    if (const auto passed = static_cast<float> (now - moved_ms_) / 1000.0f; passed > 0.0f)
    {
        const auto smooth = [passed] (float before, float distance)
        {
            return juce::jlimit (-speed_most, speed_most, 0.5f * before + 0.5f * distance / passed);
        };
        speed_ = {smooth (speed_.x, to.x - cursor_.x), smooth (speed_.y, to.y - cursor_.y)};
        moved_ms_ = now;
    }
    drag_cursor (to);
}

void SurfaceView::mouseUp (const juce::MouseEvent&)
{
    if (!is_dragging_)
        return;
    is_dragging_ = false;
    const bool was_still = juce::Time::getMillisecondCounter() - moved_ms_ > 60;
    if (was_still || std::hypot (speed_.x, speed_.y) < 4.0f * speed_least)
        return stop_gliding();
    startTimerHz (glide_hz);
}

void SurfaceView::mouseDoubleClick (const juce::MouseEvent& event)
{
    stop_gliding();
    for (size_t slot = 0; slot < handles_.size() && plane().contains (event.position); ++slot)
        if (!session_.is_filled (slot))
        {
            processor_.set_point (static_cast<int> (slot), point_at (event.position));
            processor_.set_prompt (static_cast<int> (slot), random_suggestion().toStdString());
            return show (processor_.session(), processor_.style_weights());
        }
}

void SurfaceView::drag_cursor (SurfacePoint to)
{
    x_.setValueAsPartOfGesture (to.x);
    y_.setValueAsPartOfGesture (to.y);
}

void SurfaceView::nudge_cursor (float dx, float dy)
{
    stop_gliding();
    if (dx != 0.0f)
        x_.setValueAsCompleteGesture (limited (cursor_.x + dx));
    if (dy != 0.0f)
        y_.setValueAsCompleteGesture (limited (cursor_.y + dy));
}

// Ends the gesture that a drag has begun.
void SurfaceView::stop_gliding()
{
    if (std::exchange (is_in_gesture_, false))
    {
        x_.endGesture();
        y_.endGesture();
    }
    stopTimer();
    speed_ = {0.0f, 0.0f};
    is_dragging_ = false;
}

void SurfaceView::timerCallback()
{
    constexpr float passed = 1.0f / glide_hz;
    auto next = cursor_;
    const auto move = [] (float& place, float& speed)
    {
        place += speed * passed;
        if (place < 0.0f || place > 1.0f)
        {
            place = place < 0.0f ? -place : 2.0f - place;
            speed = -speed;
        }
        place = limited (place);
    };
    move (next.x, speed_.x);
    move (next.y, speed_.y);
    drag_cursor (next);
    if (drift_.getToggleState())
        return;
    speed_.x *= 1.0f - friction * passed;
    speed_.y *= 1.0f - friction * passed;
    if (std::hypot (speed_.x, speed_.y) < speed_least)
        stop_gliding();
}

} // namespace bandmate::plugin
