//! Owns payments of all that there is: nothing comes back, and some payees share what the others leave.
//! Promises that nobody gets an output that is not worth its fee.

use bitcoin::{Amount, TxOut};

use super::ancestry::Ancestry;
use super::candidates::Candidate;
use super::error::{Short, SpendError};
use super::plan::{Moment, Plan};
use super::request::Request;
use super::shape::{assemble, dust_limit, fee_for, payee_output, total, weight_of};
use super::versions::most_weight;

/// Everything goes to the payees: those that share get equal parts of what the others leave, the first one what is over.
pub(super) fn spend_all(
    request: &Request,
    candidates: &[Candidate],
    ancestry: &mut Ancestry<'_>,
    moment: &Moment<'_>,
) -> Result<Plan, SpendError> {
    let Moment {
        rate, dust_rate, ..
    } = *moment;
    // A coin that costs more to spend than it is worth stays, unless it was asked for.
    let coins: Vec<&Candidate> = candidates
        .iter()
        .filter(|coin| {
            let dear = coin.output.value < fee_for(rate, coin.weight);
            coin.wanted || !request.economical || !dear
        })
        .collect();
    let mut outputs: Vec<TxOut> = request.payees.iter().map(payee_output).collect();
    let coming = total(coins.iter().map(|coin| coin.output.value))?;
    let fixed = total(outputs.iter().map(|output| output.value))?;
    let weight = weight_of(&coins, &outputs);
    let own_fee = fee_for(rate, weight);
    let most = moment.settings.most;
    if own_fee > most {
        return Err(SpendError::FeeTooHigh {
            fee: own_fee,
            limit: most,
        });
    }
    let fee = own_fee + ancestry.together(&coins)?;
    let sharing: Vec<usize> = (request.payees.iter().enumerate())
        .filter(|(_, payee)| payee.shares)
        .map(|(index, _)| index)
        .collect();
    let short = |why: Short, missing: Amount| SpendError::InsufficientFunds {
        why,
        available: coming,
        missing,
        scope: request.scope,
        locked: Amount::ZERO,
        reused: Amount::ZERO,
        lacking: None,
    };
    if coming <= fee {
        let economical = request.economical;
        return Err(short(Short::Pool { economical }, fee - coming));
    }
    let waits = coins.iter().any(|coin| coin.confirmations == 0);
    let limit = most_weight(request, waits);
    if weight > limit {
        return Err(SpendError::TooLarge { weight, limit });
    }
    if fixed > coming {
        return Err(short(Short::Assigned, fixed + fee - coming));
    }
    let left = coming
        .checked_sub(fixed + fee)
        .ok_or_else(|| short(Short::Fees, fixed + fee - coming))?;
    let part = left
        .checked_div(sharing.len() as u64)
        .ok_or(SpendError::NoPayees)?;
    for (place, index) in sharing.iter().copied().enumerate() {
        let over = match place {
            0 => left - part * sharing.len() as u64,
            _ => Amount::ZERO,
        };
        outputs[index].value = part + over;
    }
    // In the order of the outputs, as Core looks at them.
    for (index, output) in outputs.iter().enumerate() {
        let (amount, limit) = (output.value, dust_limit(output, dust_rate));
        if amount >= limit {
            continue;
        }
        return Err(match sharing.contains(&index) {
            true => short(Short::Remainder, limit - amount),
            false => SpendError::Dust {
                index,
                amount,
                limit,
            },
        });
    }
    Ok(assemble(
        request, &coins, outputs, None, fee, weight, moment,
    ))
}
