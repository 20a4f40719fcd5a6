// SPDX-License-Identifier: GPL-3.0-or-later
#include "notice.hpp"

#include "status_text.hpp"

#include "../processor.hpp"

namespace bandmate::plugin
{

namespace
{

juce::String words_for (link::TaskKind kind)
{
    using link::TaskKind;
    switch (kind)
    {
    case TaskKind::capture_style:
        return "Capturing the style";
    case TaskKind::style_from_file:
        return "Reading the style from the file";
    case TaskKind::continue_from_input:
        return "Preparing to go on from the side chain";
    case TaskKind::continue_from_file:
        return "Preparing to go on from the file";
    case TaskKind::save_bank:
        return "Saving the bank";
    case TaskKind::reset:
        return "Restarting";
    case TaskKind::save_take:
        return "Saving the take";
    case TaskKind::none:
        break;
    }
    return {};
}

juce::String joined (const std::string& problem, const std::string& remedy)
{
    return (juce::String::fromUTF8 (problem.c_str()) + " " + juce::String::fromUTF8 (remedy.c_str())).trim();
}

} // namespace

Notice::Notice (Processor& processor) : processor_ (processor)
{
    cancel_ = make_button ("Cancel", "Ends this task; nothing has changed then.",
                           [this] { processor_.cancel_task(); });
    dismiss_.onClick = [this]
    {
        dismissed_ = text_;
        refresh();
    };
    addChildComponent (*cancel_);
    addChildComponent (dismiss_);
}

bool Notice::refresh()
{
    const auto task = processor_.task_status();
    const auto status = processor_.link_status();
    auto kind = Kind::nothing;
    juce::String text;
    bool is_dismissible = false;
    if (task.is_running)
    {
        kind = Kind::progress;
        text = words_for (task.kind);
        dismissed_.clear();
    }
    else if (const auto problem = joined (status.problem, status.remedy); problem.isNotEmpty())
    {
        kind = Kind::problem;
        text = problem;
    }
    else if (processor_.stream_figures().offline_gave_up)
    {
        kind = Kind::problem;
        text = "The render did not wait any longer for the engine. Render it again.";
    }
    else if (!task.problem.empty())
    {
        kind = Kind::problem;
        text = joined (task.problem, task.remedy);
        is_dismissible = true;
    }
    else if (!task.result.empty() && task.kind != link::TaskKind::reset)
    {
        kind = Kind::result;
        text = juce::String::fromUTF8 (task.result.c_str());
        is_dismissible = true;
    }
    text = with_short_paths (text);
    if (is_dismissible && text == dismissed_)
        kind = Kind::nothing;
    if (kind != kind_ || text != text_ || task.share != share_)
    {
        kind_ = kind;
        text_ = text;
        share_ = task.share;
        is_dismissible_ = is_dismissible;
        setTitle (text);
        cancel_->setVisible (kind == Kind::progress);
        dismiss_.setVisible (is_dismissible && kind != Kind::nothing);
        resized();
        repaint();
    }
    return kind_ != Kind::nothing;
}

void Notice::paint (juce::Graphics& g)
{
    const auto bounds = getLocalBounds().toFloat();
    const auto colour = kind_ == Kind::problem ? theme::warning : theme::accent;
    g.setColour (theme::panel);
    g.fillRoundedRectangle (bounds, theme::small_corner);
    g.setColour (colour.withAlpha (0.12f));
    g.fillRoundedRectangle (bounds, theme::small_corner);
    if (kind_ == Kind::progress)
    {
        g.setColour (theme::accent.withAlpha (0.28f));
        g.fillRoundedRectangle (bounds.withWidth (bounds.getWidth() * static_cast<float> (share_)),
                                theme::small_corner);
    }
    g.setColour (colour.withAlpha (0.6f));
    g.drawRoundedRectangle (bounds.reduced (0.5f), theme::small_corner, 1.0f);
    auto area = getLocalBounds().reduced (12, 0);
    if (cancel_->isVisible())
        area.setRight (cancel_->getX() - 8);
    else if (dismiss_.isVisible())
        area.setRight (dismiss_.getX() - 8);
    auto text = text_;
    if (kind_ == Kind::progress && share_ > 0.0)
        text << "   " << juce::roundToInt (100.0 * share_) << " %";
    g.setColour (kind_ == Kind::problem ? theme::warning : theme::text);
    g.setFont (theme::font (theme::title_height));
    g.drawFittedText (text, area, juce::Justification::centredLeft, 2, 0.85f);
}

void Notice::resized()
{
    auto area = getLocalBounds().reduced (6);
    cancel_->setBounds (area.withLeft (area.getRight() - 80));
    dismiss_.setBounds (area.withLeft (area.getRight() - 28));
}

} // namespace bandmate::plugin
