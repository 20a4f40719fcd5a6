// SPDX-License-Identifier: GPL-3.0-or-later
#include "level_view.hpp"

#include "controls.hpp"

#include "../level_meter.hpp"

namespace bandmate::plugin
{

namespace
{

constexpr float lowest_db = -60.0f;
constexpr float silence_db = -100.0f;
constexpr int hold_refreshes = 30;
constexpr float fall_db = 1.2f; // a refresh
constexpr int sign_width = 40;
constexpr int scale_height = 16;

float share_of (float db)
{
    // The upper 24 dB take more than half: that is where levels are set.
    const auto part = juce::jlimit (0.0f, 1.0f, (db - lowest_db) / -lowest_db);
    return std::pow (part, 1.6f);
}

} // namespace

LevelView::LevelView (LevelMeter& meter) : meter_ (meter)
{
    setWantsKeyboardFocus (true);
    describe (*this, "Output level",
              "RMS as a bar, the peak as a line. OVER: louder than full scale before the limiter; a click or "
              "Return puts it out.");
}

void LevelView::refresh()
{
    const auto before = channels_;
    for (int i = 0; i < LevelMeter::channels; ++i)
    {
        auto& channel = channels_[static_cast<size_t> (i)];
        const auto reading = meter_.read (i);
        channel.rms_db = juce::Decibels::gainToDecibels (reading.rms, silence_db);
        const auto peak_db = juce::Decibels::gainToDecibels (reading.peak, silence_db);
        if (peak_db >= channel.peak_db)
        {
            channel.peak_db = peak_db;
            channel.held = hold_refreshes;
        }
        else if (channel.held > 0)
            --channel.held;
        else
            channel.peak_db = juce::jmax (silence_db, channel.peak_db - fall_db);
    }
    const bool was_over = std::exchange (is_over_, meter_.has_been_over());
    const auto differs = [] (const Channel& a, const Channel& b)
    {
        return std::abs (a.rms_db - b.rms_db) > 0.05f || a.peak_db != b.peak_db;
    };
    if (was_over != is_over_ || differs (before[0], channels_[0]) || differs (before[1], channels_[1]))
        repaint();
}

void LevelView::paint (juce::Graphics& g)
{
    auto area = getLocalBounds();
    auto scale = area.removeFromBottom (scale_height).withTrimmedRight (sign_width + 8);
    auto sign = area.removeFromRight (sign_width);
    area.removeFromRight (8);
    g.setColour (is_over_ ? theme::danger : theme::groove);
    g.fillRoundedRectangle (sign.toFloat(), 3.0f);
    g.setColour (is_over_ ? juce::Colours::white : theme::outline.brighter (0.2f));
    g.setFont (theme::font (10.5f, true));
    g.drawText ("OVER", sign, juce::Justification::centred);

    const int height = (area.getHeight() - 4) / 2;
    for (auto& channel : channels_)
    {
        const auto bar = area.removeFromTop (height).toFloat();
        area.removeFromTop (4);
        g.setColour (theme::groove);
        g.fillRoundedRectangle (bar, 2.0f);
        const auto until = [&bar] (float db)
        {
            return bar.getX() + bar.getWidth() * share_of (db);
        };
        g.setColour (theme::accent);
        g.fillRoundedRectangle (bar.withRight (until (channel.rms_db)), 2.0f);
        if (channel.peak_db > lowest_db)
        {
            g.setColour (channel.peak_db > -1.0f ? theme::warning : theme::text);
            g.fillRect (juce::Rectangle<float> (2.0f, bar.getHeight())
                            .withX (juce::jmin (until (channel.peak_db), bar.getRight() - 2.0f))
                            .withY (bar.getY()));
        }
    }
    g.setColour (theme::dim);
    g.setFont (theme::font (10.5f));
    for (const int db : {-48, -36, -24, -18, -12, -6, 0})
    {
        const auto x = static_cast<float> (scale.getX()) +
                       static_cast<float> (scale.getWidth()) * share_of (static_cast<float> (db));
        g.drawText (juce::String (db),
                    juce::Rectangle<float> (24.0f, scale_height)
                        .withCentre ({juce::jmin (x, static_cast<float> (scale.getRight()) - 4.0f),
                                      static_cast<float> (scale.getCentreY()) + 1.0f}),
                    juce::Justification::centred);
    }
    if (hasKeyboardFocus (true))
        theme::draw_focus (g, sign.toFloat(), 3.0f);
}

void LevelView::mouseDown (const juce::MouseEvent&)
{
    meter_.clear_over();
}

bool LevelView::keyPressed (const juce::KeyPress& key)
{
    if (key != juce::KeyPress::returnKey && key != juce::KeyPress::spaceKey)
        return false;
    meter_.clear_over();
    return true;
}

} // namespace bandmate::plugin
