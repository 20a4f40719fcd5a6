// SPDX-License-Identifier: GPL-3.0-or-later
#include "status_bar.hpp"

#include "controls.hpp"
#include "status_text.hpp"

#include "../processor.hpp"

#include <tuple>

namespace bandmate::plugin
{

bool StatusBar::Shown::operator== (const Shown& other) const
{
    const auto all = [] (const Shown& s)
    {
        return std::tie (s.words, s.is_ready, s.is_failed, s.frame_ms, s.frame_high_ms, s.frame_limit_ms,
                         s.latency_ms, s.underruns, s.memory_mb);
    };
    return all (*this) == all (other);
}

StatusBar::StatusBar()
{
    describe (*this, "Engine",
              "Frame: the time the model takes for a frame (the line: 99 of 100 take no longer) of the time "
              "it may take. Latency: what the host compensates. Underruns: frames that came too late.");
    setWantsKeyboardFocus (false);
}

void StatusBar::refresh (const Processor& processor)
{
    const auto status = processor.link_status();
    Shown now;
    auto words = words_for (status);
    now.words = words.substring (0, 1).toUpperCase() + words.substring (1);
    now.is_ready = status.phase == link::LinkPhase::playing && status.prompts_in_force;
    now.is_failed = status.phase == link::LinkPhase::failed;
    now.frame_ms = status.frame_ms_p50;
    now.frame_high_ms = status.frame_ms_p99;
    now.frame_limit_ms = processor.frame_ms();
    now.latency_ms = processor.latency_ms();
    now.underruns = static_cast<juce::int64> (processor.stream_figures().underruns);
    now.memory_mb = status.server_memory_mb;
    if (now == shown_)
        return;
    shown_ = now;
    setTitle ("Engine: " + now.words + ", latency " + juce::String (now.latency_ms, 1) + " ms, " +
              juce::String (now.underruns) + " underruns");
    repaint();
}

void StatusBar::paint (juce::Graphics& g)
{
    g.setColour (theme::panel);
    g.fillAll();
    g.setColour (theme::outline.withAlpha (0.55f));
    g.fillRect (getLocalBounds().removeFromTop (1));
    auto area = getLocalBounds().reduced (theme::margin, 0).withTrimmedRight (12); // the corner to resize by

    const auto light = area.removeFromLeft (18).toFloat().withSizeKeepingCentre (9.0f, 9.0f);
    g.setColour (shown_.is_ready ? theme::accent : shown_.is_failed ? theme::danger : theme::warning);
    g.fillEllipse (light.translated (-4.0f, 0.0f));
    g.setColour (theme::text);
    g.setFont (theme::font (theme::title_height, true));
    g.drawText (shown_.words, area.removeFromLeft (220), juce::Justification::centredLeft);

    // From the right: a name dimmed, its figure after it.
    const auto figure =
        [&] (const juce::String& name, const juce::String& value, int value_width, bool is_bad)
    {
        g.setFont (theme::font (theme::small_height, true));
        g.setColour (is_bad ? theme::warning : theme::text);
        g.drawText (value, area.removeFromRight (value_width), juce::Justification::centredLeft);
        g.setFont (theme::font (theme::small_height));
        const int name_width = g.getCurrentFont().getStringWidth (name) + 8;
        g.setColour (theme::dim);
        g.drawText (name, area.removeFromRight (name_width), juce::Justification::centredLeft);
        area.removeFromRight (22);
    };
    figure ("Memory",
            shown_.memory_mb > 0.0 ? juce::String (juce::roundToInt (shown_.memory_mb)) + " MB" : "-", 58,
            false);
    figure ("Underruns", juce::String (shown_.underruns), 34, shown_.underruns > 0);
    figure ("Latency", juce::String (shown_.latency_ms, 1) + " ms", 64, false);

    const bool is_slow = shown_.frame_limit_ms > 0.0 && shown_.frame_high_ms > shown_.frame_limit_ms;
    figure ("",
            (shown_.frame_ms > 0.0 ? juce::String (shown_.frame_ms, 1) : juce::String ("-")) + " / " +
                juce::String (juce::roundToInt (shown_.frame_limit_ms)) + " ms",
            78, is_slow);
    area.removeFromRight (-22);
    const auto bar = area.removeFromRight (110).toFloat().withSizeKeepingCentre (110.0f, 7.0f);
    g.setColour (theme::groove);
    g.fillRoundedRectangle (bar, 3.5f);
    if (shown_.frame_limit_ms > 0.0)
    {
        const auto until = [&] (double ms)
        {
            return bar.getWidth() * static_cast<float> (juce::jlimit (0.0, 1.0, ms / shown_.frame_limit_ms));
        };
        g.setColour (is_slow ? theme::warning : theme::accent);
        g.fillRoundedRectangle (bar.withWidth (until (shown_.frame_ms)), 3.5f);
        if (shown_.frame_high_ms > 0.0)
        {
            g.setColour (theme::text);
            g.fillRect (bar.getX() + juce::jmin (until (shown_.frame_high_ms), bar.getWidth() - 1.5f),
                        bar.getY() - 1.5f, 1.5f, bar.getHeight() + 3.0f);
        }
    }
    area.removeFromRight (8);
    g.setFont (theme::font (theme::small_height));
    g.setColour (theme::dim);
    g.drawText ("Frame", area.removeFromRight (44), juce::Justification::centredRight);
}

} // namespace bandmate::plugin
