-- Keep raw replies (registered as `answer_page`) with the verifications that they answer.
--
-- reads: answer_page
-- makes: raw.verifications

update raw.verifications as verification
set answer = page.body
from answer_page as page
where page.reply_id = verification.reply_id;
